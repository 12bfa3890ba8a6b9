"""Two files that a model writes, in the folder `output` beside this one.

Run it without an account or a key, on the small local model:

    clockwork apply examples/quickstart --model local
    clockwork destroy examples/quickstart
"""

from clockwork.resources import ArtifactSize, FileResource

article = FileResource(
    name="article.md",
    description="Write about Conway's Game of Life",
    size=ArtifactSize.SMALL,
    directory="output",
)

welcome = FileResource(
    name="welcome.txt",
    description="Welcome a new colleague to a team that looks after servers, in two or three sentences",
    directory="output",
)
