//go:build oldest

package main

import "k8s.io/pod-security-admission/policy"

// As it was called in go-1.34.mod's version.
func newEvaluator() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks()) }
