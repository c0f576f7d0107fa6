# One image for every process; the command says which one it is (see docker-compose.yml).
# Production needs its settings in the environment; docs/deployment.md lists them.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --require-hashes --no-deps --no-input -r requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=clera.settings.production
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin clera \
    && install -d -o clera -g clera /data
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
RUN DJANGO_SETTINGS_MODULE=docker.collecting python manage.py collectstatic --noinput
USER clera
EXPOSE 8000
STOPSIGNAL SIGTERM
# For the web process; the others are seen through /api/ready, which knows their heartbeats.
HEALTHCHECK --interval=15s --timeout=5s --start-period=40s --retries=3 \
    CMD ["python", "docker/healthy.py"]
CMD ["uvicorn", "clera.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--lifespan", "off", "--no-access-log", \
     "--ws", "clera.websockets:SocketProtocol", "--no-proxy-headers"]
