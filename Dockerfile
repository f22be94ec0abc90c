# One image for every service. The command selects the service: node services/test-publisher/main.js

FROM node:24-slim AS build
WORKDIR /tickbus
COPY . .
RUN npm ci && npm run build
# Plain node needs neither types nor source maps, which are a third of the installed size.
RUN cd dist \
 && npm ci --omit=dev --workspace services \
 && find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /tickbus
COPY --from=build /tickbus/dist .
USER node
