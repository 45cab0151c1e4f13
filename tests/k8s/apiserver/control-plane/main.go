// A Kubernetes control plane for tests: etcd and kube-apiserver in one process on free ports of the loopback address, with certificates and
// tokens made at the start. There are no controllers and no kubelets: objects are checked, admitted and kept, and nothing acts on them.
//
//	control-plane FOLDER [flags of kube-apiserver, such as --emulated-version=1.34]
//
// FOLDER is made; in it are etcd's data, keys, the server's log and, once the server answers, a `kubeconfig` with a context for each user
// (credentials.go). It ends on SIGTERM, or when its standard input does: so it can't outlive whoever started it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// What a cluster would tell as the address of its API server; nothing listens there, and a loopback address isn't allowed.
const advertisedAddress = "203.0.113.10"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: control-plane FOLDER [flags of kube-apiserver]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}

func run(folder string, flags []string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	logTo(log)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	etcd, err := startEtcd(folder)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	made, err := makeCredentials(folder, "https://"+listener.Addr().String())
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	server, err := apiServer(listener, append([]string{
		"--etcd-servers=http://" + etcd.Clients[0].Addr().String(),
		"--advertise-address=" + advertisedAddress,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=Node,RBAC",
		"--anonymous-auth=false",
		"--token-auth-file=" + made.tokens,
		"--tls-cert-file=" + made.certificate,
		"--tls-private-key-file=" + made.key,
		"--service-account-key-file=" + made.accountKey,
		"--service-account-signing-key-file=" + made.accountKey,
		"--service-account-issuer=https://kubernetes.default.svc",
	}, flags...))
	if err != nil {
		return err
	}
	go announce(ctx, made)
	err = app.Run(ctx, server)
	if errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return nil
	}
	return err
}

// Each line once, and errors too only there: a server that starts complains of what it hasn't made yet.
func logTo(file *os.File) {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	_ = flags.Parse([]string{"-logtostderr=false", "-stderrthreshold=FATAL", "-one_output=true"})
	klog.SetOutput(file)
}

func startEtcd(folder string) (*embed.Etcd, error) {
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir = filepath.Join(folder, "etcd")
	config.ListenClientUrls = anyPort
	config.ListenPeerUrls = anyPort
	config.LogOutputs = []string{filepath.Join(folder, "etcd.log")}
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true // nothing of it is read again
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-time.After(time.Minute):
		etcd.Close()
		return nil, errors.New("isn't ready after a minute")
	}
}

// As kube-apiserver's own command does it, on a listener that is open already: two tests at once can't take each other's port.
func apiServer(listener net.Listener, arguments []string) (options.CompletedOptions, error) {
	none := options.CompletedOptions{}
	wanted := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range wanted.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(arguments); err != nil {
		return none, err
	}
	if err := wanted.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return none, err
	}
	wanted.SecureServing.Listener = listener
	wanted.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	completed, err := wanted.Complete(context.Background())
	if err != nil {
		return none, err
	}
	return completed, utilerrors.NewAggregate(completed.Validate())
}
