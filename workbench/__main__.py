"""The entry point of the command `workbench` and of `python -m workbench`."""

import signal


def main() -> None:
    """Run the command line; while it is still being imported the keyboard ends the process, without a traceback.

    What is ignored stays so: a job in the background of a shell is not the keyboard's.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from workbench.cli import main as run  # not above: this takes most of a cold start

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
