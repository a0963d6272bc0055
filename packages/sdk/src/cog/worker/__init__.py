"""The process that holds the author's predictor; `python -m cog.worker`, spec/worker-protocol.md.

frames (codec, pure) · channel (the socket) · load (the author's file) · model (what was loaded, prepared) ·
cancel (SIGUSR1) · sync_loop and async_loop (the two ways to run) · watch (end when the server is gone)
"""
