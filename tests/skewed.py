"""The command line on a host whose clock is wrong: `python -m tests.skewed SECONDS serve …`."""

import sys
from datetime import UTC, datetime, timedelta

import time_machine

if __name__ == "__main__":
    wrong = timedelta(seconds=float(sys.argv.pop(1)))
    time_machine.travel(datetime.now(UTC) + wrong, tick=True).start()

    from api.cli import main

    main()
