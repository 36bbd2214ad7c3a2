# The service. `docker build .` makes what runs beside a broker; `docker build --target dev .` the same with the embedded
# broker, its credentials and the demo, which are not for production.

# A release of Node that is supported, or any other image that has node, npm and a user of that name.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS manifest
WORKDIR /app
COPY package.json package-lock.json ./

# Without the scripts, here and below: `prepare` would build, and what ships has no sources.
FROM manifest AS production-packages
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM manifest AS dev-packages
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM manifest AS program
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY console ./console
# With Node, for an image need not have anything else.
RUN npm run build && node -e "require('node:fs').rmSync('dist/.tsbuildinfo')"

FROM ${NODE_IMAGE} AS runtime
ENV NODE_ENV=production
WORKDIR /app
USER node
EXPOSE 8080 9000
# Liveness. Readiness (/readyz) also needs the broker, which in docker-compose.yml waits for this service. By node:http,
# for loading what `fetch` needs takes three times the CPU.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=5 \
  CMD ["node", "-e", "require('node:http').get(`http://127.0.0.1:${process.env.TIGHTBEAM_HTTP_PORT ?? 8080}/healthz`, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve"]
COPY package.json LICENSE ./
COPY proto ./proto
COPY policies ./policies

FROM runtime AS dev
COPY dev ./dev
COPY --from=dev-packages /app/node_modules ./node_modules
COPY --from=program /app/dist ./dist
CMD ["dev"]

FROM runtime AS production
COPY --from=production-packages /app/node_modules ./node_modules
COPY --from=program /app/dist ./dist
