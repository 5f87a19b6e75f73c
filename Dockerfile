# Two stages: what builds does not run. The image runs as a user without rights, also on a read-only root file system:
# state goes to /var/lib/memwatch and /tmp.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
# The compiled part of memwatch's sampling; without a compiler it would work without it.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /srv/memwatch
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE manage.py ./
COPY memwatch memwatch
COPY project project
COPY monitoring/exporters monitoring/exporters
RUN pip install --no-deps --no-build-isolation . \
    && SECRET_KEY=only-for-collectstatic-only-for-collectstatic MEMWATCH_VAR=/tmp/build MEMWATCH_STATIC=/srv/memwatch/static \
       python manage.py collectstatic --noinput

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HEALTH_PORT=8001 \
    MEMWATCH_VAR=/var/lib/memwatch MEMWATCH_STATIC=/srv/memwatch/static LOG_FORMAT=json
RUN useradd --system --uid 10001 --home-dir /var/lib/memwatch --create-home memwatch \
    && install -d -o memwatch -m 700 /var/lib/memwatch /var/lib/memwatch/recordings
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/memwatch /srv/memwatch
WORKDIR /srv/memwatch
USER memwatch
EXPOSE 8000 9202
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=4 \
    CMD ["python", "-m", "project.healthcheck", "http://127.0.0.1:8001/healthz"]
CMD ["gunicorn", "-c", "project/gunicorn_conf.py", "project.wsgi"]
