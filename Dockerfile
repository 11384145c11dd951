# syntax=docker/dockerfile:1
# The base image is given by tag. If others rely on your build, pin it to the digest that your registry shows
# (FROM python:…@sha256:…). The packages are pinned with hashes in requirements.txt.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.txt ./
RUN /app/.venv/bin/pip install --require-hashes -r requirements.txt
COPY . .
# This key is for this command only; the image contains no key.
RUN SECRET_KEY=only-for-collectstatic-which-signs-nothing-at-all-in-here .venv/bin/python manage.py collectstatic --noinput \
    && rm -rf var && chmod -R a+rX .

FROM python:3.11-slim-bookworm
# Root owns code and packages. The server process can write only to /app/var, /backups and /tmp.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin finance \
    && install -d -o finance -g finance -m 700 /app/var /backups
WORKDIR /app
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001
EXPOSE 8000
VOLUME ["/app/var", "/backups"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "financeproj.probe"]
CMD ["gunicorn", "financeproj.wsgi"]
