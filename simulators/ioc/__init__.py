"""The simulated microscope behind Channel Access: a process of its own, `python -m simulators.ioc` or `xrm ioc`.

The physics is that of `simulators.microscope`; this package gives it the faces by which control systems know such
instruments: motor records, areaDetector, shutters, a scan status, a watchdog. It is the only user of caproto.
"""
