# syntax=docker/dockerfile:1
# Tags, not digests: pin the base image to the digest that your registry shows for it (FROM python:…@sha256:…) where you
# build for more than yourself. The packages are pinned with hashes in requirements.txt.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.txt ./
RUN /app/.venv/bin/pip install --require-hashes -r requirements.txt
COPY . .
# A key for this one command: the image holds none.
RUN SECRET_KEY=only-for-collectstatic-which-signs-nothing-at-all-in-here .venv/bin/python manage.py collectstatic --noinput \
    && rm -rf var

FROM python:3.11-slim-bookworm
# Code and packages belong to root; the process that serves can change nothing but /app/var, /backups and /tmp.
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
