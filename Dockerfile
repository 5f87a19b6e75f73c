FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MEMWATCH_VAR=/var/lib/memwatch
WORKDIR /srv/memwatch
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE manage.py ./
COPY memwatch memwatch
COPY project project
COPY monitoring/exporters monitoring/exporters
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --system --home-dir /var/lib/memwatch --create-home memwatch \
    && SECRET_KEY=only-for-collectstatic-only-for-collectstatic MEMWATCH_VAR=/tmp/build MEMWATCH_STATIC=/srv/memwatch/static python manage.py collectstatic --noinput
USER memwatch
EXPOSE 8000 9202
CMD ["gunicorn", "-c", "project/gunicorn_conf.py", "project.wsgi"]
