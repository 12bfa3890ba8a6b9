"""Files of several formats and sizes, written by a model, next to one whose content is given.

Use a model that knows these formats; for OpenRouter set OPENROUTER_API_KEY first:

    clockwork plan examples/file-generation
    clockwork apply examples/file-generation
    clockwork destroy examples/file-generation

What the model wrote is kept in clockwork.lock beside this file: read it, and commit it in a project of your own.
"""

from clockwork.resources import ArtifactSize, FileResource

# The ending of its name tells which format a file has, and what comes back is checked against it.
readme = FileResource(
    name="README.md",
    description="Explain a small command-line tool called `tide` that prints the times of high and low water",
    size=ArtifactSize.MEDIUM,
    directory="output/tide",
)

settings = FileResource(
    name="settings.json",
    description="Settings of that tool: a harbour, a unit (metres), the number of days, and a time zone",
    directory="output/tide",
)

# The model is not asked where you write the content yourself. `mode` is the file's permissions.
script = FileResource(
    name="tide.sh",
    content='#!/bin/sh\nexec tide --settings "$(dirname "$0")/settings.json" "$@"\n',
    directory="output/tide",
    mode="755",
)

# Plain Python: resources in lists and comprehensions count too.
CITIES = ["Bergen", "Halifax", "Valparaíso"]
guides = [
    FileResource(
        name=f"{city.lower()}.txt", description=f"The harbour of {city}", path=f"output/guides/{city}.txt"
    )
    for city in CITIES
]
