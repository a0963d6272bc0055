"""The HTTP/1.1 front: httptools' parser on asyncio transports, an ASGI application behind it.

Theory of operation: a connection collects whole requests (a body is at most as large as the server's limit, so it is
held in memory) and hands them on one at a time as an `Exchange`. An exchange is either answered at once through the
application's `quick` method, without a task, or run as an ordinary ASGI call. Why there is a front of our own:
bench/README.md, with figures.
"""
