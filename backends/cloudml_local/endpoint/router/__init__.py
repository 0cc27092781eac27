"""The router process: one for each endpoint, its data port, its model servers, and the switch between them.

table        which model server gets the next request; immutable, swapped by one assignment
proxy        the data plane: an ASGI application that passes requests on
server       one model server process
generation   the servers of one deployment: started, watched, restarted, drained
conductor    blue to green; keeps the record
commands     the control socket
process      daemon, signals, start and stop
"""
