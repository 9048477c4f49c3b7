"""``python -m steadyspot``: the command line, the same as the command ``steadyspot``."""

from steadyspot.deploy.cli.main import main

if __name__ == "__main__":
    main(prog_name="steadyspot")
