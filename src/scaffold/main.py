"""The desired state of this machine. `clockwork plan` shows what would change, `clockwork apply` does it."""

from clockwork.resources import FileResource

# You write all of it: no model is asked.
hello = FileResource(
    name="hello.txt",
    content="Hello from Clockwork.\n",
    directory="output",
)

# You say what you want, and the model writes it, once: clockwork.lock keeps its text.
# With a key in .env that is the model you chose; `clockwork apply --model local` needs no key.
article = FileResource(
    name="article.md",
    description="Write about Conway's Game of Life",
    directory="output",
)
