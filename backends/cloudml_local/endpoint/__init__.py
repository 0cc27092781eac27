"""A real HTTP endpoint on this machine that outlives the command that made it.

    manager      what the rest of the backend calls: deploy, status, serves, stop, start, delete, invoke, metrics
    deployment   what is to be served, and what is known about an endpoint
    record       the endpoint's file: the truth for commands, written by its router
    paths        where an endpoint keeps its files; legal names; a control socket short enough for the kernel
    lock         one change at a time
    processes    is this process still the one in the record?
    launch       starting the router so that it belongs to no command
    control      asking a running router
    ending       ending a router from outside
    calls        HTTP to the endpoint's own port
    faults       the errors, a function for each code
    router/      the process itself: the data port, the model servers, the switch from blue to green

A command imports only what the manager needs, which is the standard library.
"""
