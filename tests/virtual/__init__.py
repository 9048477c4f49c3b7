"""The rendered definition in virtual time: an interpreter, and a world without waiting."""
