# CPU by default; for a GPU: docker build --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 -t segdemo .
#                            docker run --gpus all -p 7860:7860 segdemo
ARG BASE=python:3.12-slim
FROM ${BASE}

RUN command -v python3 >/dev/null && python3 -m venv --help >/dev/null 2>&1 \
    || (apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*)

RUN (id -u 1000 >/dev/null 2>&1 && userdel --remove "$(id -un 1000)" || true) && useradd --create-home --uid 1000 segdemo
USER segdemo
WORKDIR /home/segdemo/app
ENV VIRTUAL_ENV=/home/segdemo/venv PATH=/home/segdemo/venv/bin:$PATH \
    GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 PYTHONUNBUFFERED=1

COPY --chown=segdemo requirements.txt .
# INDEX picks the build of torch; without a GPU the CPU wheels are a tenth of the size:
#   --build-arg INDEX=<the PyTorch project's index of CPU wheels>
ARG INDEX=
RUN python3 -m venv "$VIRTUAL_ENV" && pip install --no-cache-dir ${INDEX:+--extra-index-url "$INDEX"} -r requirements.txt
COPY --chown=segdemo . .

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/', timeout=4)"
CMD ["python3", "app.py"]
