# Starts the node from the first slot that can. Ctrl-C ends it and leaves the REPL, with the lamp at
# its design level.


def _main(slots):
    import sys
    import time

    import machine

    # An hour is for whoever sits at the REPL; a start that hangs (a .mpy cut short does) has 30 s.
    memory = machine.RTC().memory
    try:
        for folder in slots:
            memory(folder.encode())  # until the node says hello
            sys.path[-1] = folder
            machine.WDT(timeout=30000)
            try:
                from lampione_node import app

                app.main()
                return
            except Exception as error:
                sys.print_exception(error)
            if not memory():
                break  # it ran
            memory(b"")
            print("lampione: no start from", folder)
            for name in list(sys.modules):
                if name.startswith("lampione"):
                    del sys.modules[name]
        print("lampione: starting again in 60 s; Ctrl-C for the REPL")
        machine.WDT(timeout=120000)  # or the one of the node ends the pause
        time.sleep(60)
        machine.reset()
    finally:
        memory(b"")
        machine.WDT(timeout=3600000)


_main(globals().get("slots", ["/lib"]))  # boot.py's; it may have been lost
