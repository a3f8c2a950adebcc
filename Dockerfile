# The function's image: Python, what serving needs, and nothing else.
#
#     docker build --tag digit-reader . && docker run --rm --publish 8080:8080 digit-reader
#
# For another architecture: docker build --platform linux/arm64 …

# ── Packages, as light as they can be without taking anything from what they do for the function ─────────────────
FROM python:3.11-slim-bookworm AS packages
RUN apt-get update && apt-get install --yes --no-install-recommends g++

ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY deploy/numpy.txt function/requirements.txt ./
RUN pip install --requirement numpy.txt
# NumPy's wheel brings OpenBLAS, 35 MB of it, and its loops once for each kind of processor: it is built without.
RUN sed --in-place '/^numpy==/ s/\\$/ \
        --config-settings="setup-args=-Dblas=none" --config-settings="setup-args=-Dlapack=none" \
        --config-settings="setup-args=-Dallow-noblas=true" --config-settings="setup-args=-Dcpu-dispatch=none" \\/' requirements.txt && \
    pip install --requirement requirements.txt --no-deps --no-compile --target /app/packages \
        --only-binary :all: --no-binary numpy --no-build-isolation

WORKDIR /app/packages
# x265, 23 MB to write HEIC with, and xcb, to take a picture of the screen: nothing here calls them, but others are linked to
# them. What those ask for by name stays, and does nothing.
RUN for library in pillow_heif.libs/libx265-* pillow.libs/libxcb-*; do \
        soname=$(basename "$library") && name=${soname#lib} && \
        nm --dynamic --undefined-only pillow_heif.libs/*.so* PIL/*.so | grep --only-matching "U ${name%%-*}_.*" | sort --unique | \
        sed 's/U \(.*\)/void *\1(void) { return 0; }/' | gcc -x c -shared -Wl,--soname="$soname" -o "$library" -; \
    done && rm pillow.libs/libXau-*
# Fonts, colour profiles and windows.
RUN rm PIL/_imagingft.* PIL/_imagingcms.* PIL/_imagingtk.* \
        pillow.libs/libfreetype-* pillow.libs/libharfbuzz-* pillow.libs/libbrotli* pillow.libs/libpng* pillow.libs/liblcms2-*
# Of LiteRT the C library alone is loaded; the rest of it, and what that needs, is never imported.
RUN find ai_edge_litert -mindepth 1 ! -path ai_edge_litert/__init__.py ! -path ai_edge_litert/libLiteRt.so -delete && \
    rm -r backports* flatbuffers* google/protobuf google/_upb protobuf* ml_dtypes* tqdm*
# What is there for those who compile against a package, test it, check its types or debug it; and parts of NumPy that nothing
# here imports.
RUN rm -r bin numpy/distutils numpy/f2py numpy/fft numpy/polynomial numpy/random && \
    find . -name tests -type d -exec rm -r {} + && \
    find . -name '*.py[ixd]' -delete -o -name '*.[acho]' -delete && \
    find . -name '*.so*' -type f -exec strip --strip-unneeded {} +

# ── The image, without byte code ────────────────────────────────────────────────────────────────────────────────
FROM gcr.io/distroless/python3-debian12:nonroot AS runtime
COPY --from=packages /app/packages /app/packages
COPY model/digits_int8.tflite /app/model/
COPY frontend /app/frontend
COPY function /app/function
# TMPDIR can be written even where the file system cannot; SAFEPATH keeps what lies in /data from being imported.
ENV PYTHONPATH=/app/packages:/app \
    PYTHONPYCACHEPREFIX=/app/bytecode \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    FUNCTION_SOURCE=/app/function/main.py \
    FUNCTION_TARGET=recognise \
    FRONTEND_DIR=/app/frontend \
    PORT=8080 \
    WORKERS=1 \
    THREADS=8

# ── Byte code: what Python leaves when the function serves ──────────────────────────────────────────────────────
FROM runtime AS bytecode
USER root
COPY deploy/bytecode.py /build/
WORKDIR /build/data
RUN ["/usr/bin/python3.11", "/build/bytecode.py"]

# ── The image ───────────────────────────────────────────────────────────────────────────────────────────────────
FROM runtime
COPY --from=bytecode /app/bytecode /app/bytecode
# /data is for records and the journal: the defaults of RECORDS_URL and JOURNAL_PATH begin where the process does. Group 0
# is for platforms that choose a user of their own.
COPY --from=bytecode --chown=65532:0 /build/root /
USER 65532
VOLUME /data
WORKDIR /data
ENV PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["/usr/bin/python3.11", "-c", "\
import http.client, os; \
live = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); \
live.request('GET', '/health/live'); \
raise SystemExit(live.getresponse().status != 200)"]
ENTRYPOINT ["/usr/bin/python3.11", "-m", "functions_framework"]
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Digit Reader" \
      org.opencontainers.image.description="Handwritten digits in any picture become numbers, with a durable log of every answer." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.base.name="gcr.io/distroless/python3-debian12:nonroot"
