"""``python -m steadyspot.statemachines``: writes the definitions that are deployed."""

from steadyspot.statemachines.render import write

if __name__ == "__main__":
    for path in write():
        print(path)
