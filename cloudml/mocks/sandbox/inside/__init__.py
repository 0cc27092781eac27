"""The launcher: a small process of one thread that forks jobs, and what those forks do before a job's program starts.

It runs as a program of its own, `python -I -S` with only the folder above on its path, so that a fork copies a few
megabytes and never a thread. Hence the modules here import the standard library and one another, nothing of cloudml.

Processes of one job, outermost first. With namespaces: launcher, keeper (still outside of the job's network), init
(process 1 of the job's process namespace), program. With plain paths: launcher, watcher, program. Each of them ends
when the one before it does, and all of them when the mock does: the sockets that it holds close.
"""
