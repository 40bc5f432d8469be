#!/bin/sh
# Validates the manifests of deploy/container by the schemas of Kubernetes, the lowest version and
# the newest that the checker knows, and of Compose. The checkers are in a virtual environment of
# their own.
#
# PYTHON      the Python that it is made of; default python3
# VENV_FLAGS  flags of python -m venv
set -eu
cd "$(dirname "$0")/../.."
folder=_build/manifests
bin=$folder/bin

# shellcheck disable=SC2086 # the flags are words
"${PYTHON:-python3}" -m venv ${VENV_FLAGS-} $folder
$bin/pip install -q --disable-pip-version-check kubernetes-validate check-jsonschema

compose() { $bin/check-jsonschema --builtin-schema vendor.compose-spec "$1"; }
kubernetes() { $bin/kubernetes-validate --strict "$@"; }
refuses() { # refuses VALIDATOR FILE PATTERN: a copy with a spoilt name
    sed "s/$3/spoilt&/" "$2" > $folder/spoilt.yaml
    ! "$1" $folder/spoilt.yaml > /dev/null 2>&1 || {
        echo "test-manifests: $1 accepts a spoilt $2" >&2
        exit 1
    }
}

compose deploy/container/compose.yaml
kubernetes -k 1.29.0 deploy/container/kubernetes.yaml
kubernetes deploy/container/kubernetes.yaml
refuses compose deploy/container/compose.yaml read_only
refuses kubernetes deploy/container/kubernetes.yaml emptyDir
