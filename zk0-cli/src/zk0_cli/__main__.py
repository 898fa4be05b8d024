"""`python -m zk0_cli` is `zk0`."""

from zk0_cli.main import main

if __name__ == "__main__":
    main()
