# The server in a container: its parts are built apart, no root, nothing written but under /data.
FROM node:20-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci
COPY schema.graphql /build/schema.graphql
COPY web ./
RUN npm run codegen && npm run build

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/resolution-center \
 && /opt/resolution-center/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY engine engine
COPY models models
COPY rules rules
COPY subscriptions subscriptions
COPY workers workers
RUN /opt/resolution-center/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --home-dir /data --create-home resolution
COPY --from=build /opt/resolution-center /opt/resolution-center
COPY --from=web /build/web/dist /opt/resolution-center/web
ENV RESOLUTION_WEB_FOLDER=/opt/resolution-center/web \
    PATH=/opt/resolution-center/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    RESOLUTION_ENVIRONMENT=production
USER 10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["resolution-center", "serve", "--host", "0.0.0.0", "--port", "8000"]
