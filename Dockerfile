# One image for every service; which one runs is the command: node services/test-publisher/main.js

FROM node:24-slim AS build
WORKDIR /tickbus
COPY . .
RUN npm ci && npm run build
# Plain node wants neither types nor source maps: a third of what is installed.
RUN cd dist \
 && npm ci --omit=dev --workspace services \
 && find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /tickbus
COPY --from=build /tickbus/dist .
USER node
