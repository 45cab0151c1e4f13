// Package cluster asks a real API server (../control-plane) what it thinks of the platform's manifests, charts and scripts: tests/k8s/run.sh.
// Each test prepares what it needs and can be run alone; a case is a subtest.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	root     = "../../../.." // of the project
	programs = "observability"
	stack    = "monitoring"
)

var cluster struct {
	kubeconfig string
	folder     string
	path       string // PATH with the kubectl and helm that were built
}

func TestMain(m *testing.M) {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL"}) // what controllers say (controllers_test.go)
	klog.SetOutput(io.Discard)
	code, err := withCluster(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withCluster(run func() int) (int, error) {
	folder, err := os.MkdirTemp("", "k8s-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(folder)
	begin := time.Now()
	server := exec.Command(root+"/build/tools/control-plane", folder)
	if version := os.Getenv("K8S_EMULATED_VERSION"); version != "" {
		server.Args = append(server.Args, "--emulated-version="+version)
	}
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	stdin, err := server.StdinPipe()
	if err != nil {
		return 1, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := server.Start(); err != nil {
		return 1, err
	}
	defer func() {
		stdin.Close()
		_ = server.Wait()
	}()
	giveUp := time.AfterFunc(3*time.Minute, func() { _ = server.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	giveUp.Stop()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(folder, "log"))
		return 1, fmt.Errorf("the API server doesn't get ready: %w\n%s", err, log[max(0, len(log)-2000):])
	}
	cluster.kubeconfig = strings.TrimSpace(line)
	cluster.folder = folder
	if err := linkTools(); err != nil {
		return 1, err
	}
	fmt.Printf("the API server (%s) is ready after %.1f s\n", serverVersion(), time.Since(begin).Seconds())
	return run(), nil
}

// As it tells clients: the version that it behaves as, and of which it is.
func serverVersion() string {
	output, err := exec.Command(root+"/build/tools/kubectl", "--kubeconfig", cluster.kubeconfig, "get", "--raw", "/version").Output()
	if err != nil {
		return err.Error()
	}
	version := struct {
		EmulationMajor, EmulationMinor, GitVersion string
	}{}
	_ = json.Unmarshal(output, &version)
	return version.EmulationMajor + "." + version.EmulationMinor + " by " + version.GitVersion
}

func linkTools() error {
	bin := filepath.Join(cluster.folder, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	for _, tool := range []string{"kubectl", "helm"} {
		path, err := filepath.Abs(root + "/build/tools/" + tool)
		if err != nil {
			return err
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			return err
		}
	}
	cluster.path = bin + ":" + os.Getenv("PATH")
	return nil
}

// --- speaking with it ----

// A user of control-plane/credentials.go, called as the user.
func clientOf(t *testing.T, user string) *kubernetes.Clientset {
	t.Helper()
	return clientFor(t, configOf(t, user))
}

func configOf(t *testing.T, user string) *rest.Config {
	t.Helper()
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: cluster.kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: user})
	config, err := loaded.ClientConfig()
	must(t, err)
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func clientFor(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Runs a command in the project's folder with the tools of this cluster; both outputs, and whether it succeeded.
func try(t *testing.T, input string, command ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if found := filepath.Join(cluster.folder, "bin", command[0]); fileExists(found) {
		command[0] = found
	}
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Dir = root
	process.Env = append(os.Environ(), "PATH="+cluster.path, "KUBECONFIG="+cluster.kubeconfig, "HOME="+cluster.folder,
		"HELM_CACHE_HOME="+cluster.folder+"/helm", "K8S_CONTEXT=admin")
	process.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	process.Stdout, process.Stderr = &output, &output
	err := process.Run()
	return output.String(), err
}

func do(t *testing.T, command ...string) string {
	t.Helper()
	output, err := try(t, "", command...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, output)
	}
	return output
}

// It must fail, and for the reason that is named.
func refused(t *testing.T, reason, input string, command ...string) {
	t.Helper()
	output, err := try(t, input, command...)
	if err == nil {
		t.Errorf("%s is accepted:\n%s", strings.Join(command, " "), output)
	} else if !strings.Contains(output, reason) {
		t.Errorf("%s is refused, but not with “%s”:\n%s", strings.Join(command, " "), reason, output)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
