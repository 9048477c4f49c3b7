"""``python -m steadyspot.statemachines``: writes what is made from the code where it is read."""

from steadyspot.statemachines.readme import README, filled
from steadyspot.statemachines.render import write

if __name__ == "__main__":
    for path in write():
        print(path)
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
    print(README)
