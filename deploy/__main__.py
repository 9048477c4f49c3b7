"""``python -m deploy``, in an installation ``steadyspot``."""

from deploy.cli import main

if __name__ == "__main__":
    main(prog_name="steadyspot")
