"""``python -m statemachines``: writes what is made from the code where people and AWS read it."""

from statemachines.readme import README, filled
from statemachines.render import write

if __name__ == "__main__":
    for path in write():
        print(path)
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
    print(README)
