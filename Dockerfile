# The demo job's image. `steadyspot up` builds and pushes it, and before it the worker's image that
# it is made from; beside a configuration of one's own stands a Dockerfile such as this one.
FROM steadyspot-worker

USER root
COPY examples/requirements.txt /opt/job/
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r /opt/job/requirements.txt
COPY examples /opt/job/examples
ENV PYTHONPATH=/opt/job:/opt/steadyspot/api
# Its input lies in the image, so that the first run needs no bucket to be filled.
ENV TPCH_Q1_INPUT=/opt/job/input
RUN python3 -m examples.tpch_q1.data "$TPCH_Q1_INPUT"
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["python", "-m", "examples.tpch_q1"]
