"""`python -m dentify` is the `dentify` command."""

from dentify.cli import main

if __name__ == "__main__":
    main()
