"""Render the definitions: ``python -m statemachines`` writes them where the console and CloudFormation look."""

from statemachines.render import write

if __name__ == "__main__":
    for path in write():
        print(path)
