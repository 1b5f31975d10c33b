# Two stages: the first installs Swarmwire into a virtual environment, the second runs it and holds nothing else.
FROM python:3.11-slim AS build
WORKDIR /src
# Without pip of its own: the environment cannot be changed from inside it.
RUN python -m venv --without-pip /opt/venv
# The compiler for the data plane stays behind in this stage.
RUN command -v cc || (apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev)
COPY pyproject.toml README.md hatch_build.py ./
COPY protocol protocol/
COPY broker broker/
COPY channels channels/
COPY client client/
RUN pip --disable-pip-version-check --python /opt/venv/bin/python install --no-cache-dir ".[broker]"

FROM python:3.11-slim
# By number, so that whoever runs the image can see that it is not root.
RUN groupadd --gid 10001 swarmwire \
    && useradd --uid 10001 --gid swarmwire --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin swarmwire
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SWARMWIRE_HOST=0.0.0.0
# A swarmwire.toml that is mounted here is found without being named.
WORKDIR /etc/swarmwire
USER 10001:10001
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "from os import environ; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:' + environ.get('SWARMWIRE_PORT', '8765') + '/healthz', timeout=2)"]
ENTRYPOINT ["swarmwire"]
CMD ["serve"]
