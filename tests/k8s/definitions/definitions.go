// Package definitions names the types whose definitions controller-gen writes (tests/k8s/make-definitions).
package definitions

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
