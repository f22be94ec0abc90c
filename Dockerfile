# One image for every service. The command selects the service: node services/test-publisher/main.js

# node:24-slim as listed by docker-library/repo-info (24.19.0); docker-compose.yml names it too.
ARG NODE_IMAGE=node:24-slim@sha256:cd84903a12dbd26b46f1f3b8144a2568c41c5d37ddd0c7a80a34c7a19786b35f

FROM ${NODE_IMAGE} AS build
WORKDIR /tickbus
COPY . .
RUN npm ci && npm run build
# Plain node needs neither types nor source maps, which are a third of the installed size.
RUN cd dist \
 && npm ci --omit=dev --workspace services \
 && find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /tickbus
COPY --from=build /tickbus/dist .
USER node
