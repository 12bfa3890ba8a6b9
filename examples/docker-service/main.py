"""Two containers: a web server whose image the model chooses, and a store whose image is given.

Needs a Docker engine on this machine, and a model (see the settings in the README):

    clockwork plan examples/docker-service
    clockwork apply examples/docker-service
    clockwork destroy examples/docker-service

Look at the image that the model chose in the plan before you apply it. Destroying removes the containers and the
network, never a volume.
"""

from clockwork.resources import DockerServiceResource, FileResource

page = FileResource(name="index.html", content="<h1>It works.</h1>\n", directory="site")

web = DockerServiceResource(
    name="clockwork-example-web",
    description="A small web server that serves static files from /usr/share/nginx/html",
    ports=["127.0.0.1:8080:80"],
    # A source that begins with a dot is a path, from the folder of this file.
    volumes=["./site:/usr/share/nginx/html:ro"],
    networks=["clockwork-example"],
)

store = DockerServiceResource(
    name="clockwork-example-store",
    description="A key-value store for sessions",
    image="redis:7-alpine",
    volumes=["clockwork-example-data:/data"],
    env_vars={"TZ": "UTC"},
    networks=["clockwork-example"],
)
