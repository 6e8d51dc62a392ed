"""Checks deploy/kubernetes/ for scripts/check-kubernetes. The argument is the program."""

import os, pathlib, re, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

import kubernetes_validate, yaml

PROGRAM = sys.argv[1]
FOLDER = pathlib.Path("deploy/kubernetes")
PREFIX = "SINCH_CALLBACKS_"
START_MAX_SECS = 20


def failed(what):
    print("FAILED ", what)
    sys.exit(1)


def build(folder):
    """Returns the documents that kustomize would make of a folder. Of its language it knows what is used here, and no more."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := set(kustomization) - {"apiVersion", "kind", "resources", "images"}:
        failed(f"{folder}: this check does not know {sorted(unknown)}")
    documents = []
    for resource in kustomization["resources"]:
        path = folder / resource
        documents += build(path.resolve()) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    listed = {(folder / resource).resolve() for resource in kustomization["resources"]}
    for path in folder.glob("*.yaml"):
        if path.name != "kustomization.yaml" and path.resolve() not in listed:
            failed(f"{path} is in no kustomization")
    names = {container["image"] for document in documents for container in containers(document)}
    for image in kustomization.get("images", []):
        if image["name"] not in names:
            failed(f"{folder}: no container has the image {image['name']}")
    return documents


def pod_template(document):
    return document["spec"].get("template") if document["kind"] in ("StatefulSet", "Deployment") else None


def containers(document):
    template = pod_template(document)
    return template["spec"]["containers"] if template else []


def cross_check(name, documents):
    """Checks what one document names of another. Returns the container and the settings."""
    by_kind = lambda kind: [document for document in documents if document["kind"] == kind]
    workloads = [document for document in documents if pod_template(document)]
    if len(workloads) != 1:
        failed(f"{name}: {len(workloads)} workloads")
    pod = pod_template(workloads[0])
    container, = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    services = {service["metadata"]["name"]: service["spec"] for service in by_kind("Service")}
    selectors = [service["selector"] for service in services.values()] + [workloads[0]["spec"]["selector"]["matchLabels"]]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in by_kind("NetworkPolicy")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in by_kind("PodDisruptionBudget")]
    for selector in selectors:
        if not selector.items() <= labels:
            failed(f"{name}: {selector} selects no pod")
    used = [port["targetPort"] for service in services.values() for port in service["ports"]]
    used += [probe["httpGet"]["port"] for key, probe in container.items() if key.endswith("Probe")]
    used += [port["port"] for policy in by_kind("NetworkPolicy") for rule in policy["spec"].get("ingress", []) for port in rule["ports"]]
    if unknown := set(used) - set(ports):
        failed(f"{name}: no container has the ports {unknown}")
    for ingress in by_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                if backend["port"]["name"] not in [port["name"] for port in services[backend["name"]]["ports"]]:
                    failed(f"{name}: the ingress leads nowhere: {backend}")
    if workloads[0]["spec"].get("serviceName", "sinch-callbacks-operators") not in services:
        failed(f"{name}: there is no service {workloads[0]['spec']['serviceName']}")
    settings = {document["metadata"]["name"]: document["data"] for document in by_kind("ConfigMap")}
    for source in container["envFrom"]:
        if "configMapRef" in source and source["configMapRef"]["name"] not in settings:
            failed(f"{name}: there is no ConfigMap {source}")
    return container, ports, settings["sinch-callbacks"]


def secrets():
    lines = (FOLDER / "example.secrets.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def try_program(name, container, ports, settings):
    """Starts the program with the variables of the manifests, and asks it for each path of a probe."""
    defaults = pathlib.Path("config.example.toml").read_text()
    listening = {"callbacks": re.search(r'listen = "[^"]*:(\d+)"', defaults)[1],
                 "operators": settings[PREFIX + "OPERATORS__LISTEN"].rsplit(":", 1)[1]}
    if {port: int(number) for port, number in listening.items()} != ports:
        failed(f"{name}: the container's ports are {ports}, and the program listens at {listening}")
    variables = settings | secrets()
    places = {PREFIX + "CALLBACKS__TRUSTED_PROXIES": "10.0.0.0/8", PREFIX + "DATABASE__URL": ""}
    for variable, value in variables.items():
        if value == "replace-me":
            variables[variable] = places.get(variable, "a-value-of-the-check-that-is-long-enough")
    for variable in variables:
        if not variable.startswith(PREFIX):
            failed(f"{name}: {variable} is no variable of the program")
    callbacks, operators = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        variables |= {PREFIX + "DATABASE__PATH": f"{folder}/service.db", PREFIX + "CALLBACKS__LISTEN": f"127.0.0.1:{callbacks}",
                      PREFIX + "OPERATORS__LISTEN": f"127.0.0.1:{operators}", PREFIX + "CONFIG": "",
                      # Sinch is asked nothing.
                      PREFIX + "PROJECTS__0__API": "off", PREFIX + "PROJECTS__0__KEY_ID": "", PREFIX + "PROJECTS__0__KEY_SECRET": ""}
        program = subprocess.Popen([os.path.abspath(PROGRAM), "serve"], cwd=folder, env=variables, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        try:
            paths = {probe["httpGet"]["path"] for key, probe in container.items() if key.endswith("Probe")}
            for path in sorted(paths):
                status = answered(f"http://127.0.0.1:{operators}{path}", program)
                if status != 200:
                    program.kill()
                    failed(f"{name}: {path} is answered {status}: {program.stdout.read()}")
        finally:
            program.terminate()
            program.wait(START_MAX_SECS)
    print(f"ok      {name}: the program starts with the {len(secrets() | settings)} variables, and answers {', '.join(sorted(paths))}")


def answered(url, program):
    deadline = time.monotonic() + START_MAX_SECS
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            if time.monotonic() > deadline or program.poll() is not None:
                return error
            time.sleep(0.1)


os.environ["NO_PROXY"] = "127.0.0.1"
for name in ("sqlite", "postgres"):
    documents = build(FOLDER / name)
    for document in documents:
        try:
            kubernetes_validate.validate(document, "1.37", strict=True)
        except kubernetes_validate.ValidationError as error:
            failed(f"{name}: {document['kind']} {document['metadata']['name']}: {error.message}, at {list(error.path)}")
    print(f"ok      {name}: {len(documents)} documents are as Kubernetes 1.37 has them")
    try_program(name, *cross_check(name, documents))
