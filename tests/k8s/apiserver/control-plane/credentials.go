package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// Who can sign in: a user and its groups. The groups of people are those that k8s/rbac.yaml binds.
var users = []struct{ name, groups string }{
	{"admin", "system:masters"},
	{"viewer", "observability-viewers"},
	{"operator", "observability-operators"},
	{"stranger", ""},
}

type credentials struct {
	folder, url                          string
	certificate, key, accountKey, tokens string // files
	secrets                              map[string]string
}

func makeCredentials(folder, url string) (*credentials, error) {
	made := &credentials{
		folder: folder, url: url,
		certificate: filepath.Join(folder, "server.crt"), key: filepath.Join(folder, "server.key"),
		accountKey: filepath.Join(folder, "accounts.key"), tokens: filepath.Join(folder, "tokens.csv"),
		secrets: map[string]string{},
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, []string{"localhost", "kubernetes.default.svc"})
	if err != nil {
		return nil, err
	}
	accountKey, err := newKey()
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for i, user := range users {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
		made.secrets[user.name] = hex.EncodeToString(secret)
		fmt.Fprintf(&lines, "%s,%s,%d,%q\n", made.secrets[user.name], user.name, i, user.groups)
	}
	for path, content := range map[string][]byte{
		made.certificate: certificate, made.key: key, made.accountKey: accountKey, made.tokens: []byte(lines.String()),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// For the tokens of service accounts.
func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyutil.ECPrivateKeyBlockType, Bytes: encoded}), nil
}

// Writes the kubeconfig as soon as the server says that it is ready, and a line for who waits.
func announce(ctx context.Context, made *credentials) {
	pool := x509.NewCertPool()
	certificate, err := os.ReadFile(made.certificate)
	if err != nil || !pool.AppendCertsFromPEM(certificate) {
		fmt.Fprintln(os.Stderr, "control-plane: the server's certificate can't be read")
		return
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 5 * time.Second}
	for !made.ready(ctx, &client) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	path := filepath.Join(made.folder, "kubeconfig")
	if err := clientcmd.WriteToFile(*made.kubeconfig(certificate), path); err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		return
	}
	fmt.Println(path)
}

func (made *credentials) ready(ctx context.Context, client *http.Client) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, made.url+"/readyz", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+made.secrets["admin"])
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// A context for each user, called as the user; `admin` is the current one. And one for each namespace that objects without one go to.
func (made *credentials) kubeconfig(certificate []byte) *api.Config {
	config := api.NewConfig()
	config.CurrentContext = "admin"
	config.Clusters["test"] = &api.Cluster{Server: made.url, CertificateAuthorityData: certificate}
	for name, secret := range made.secrets {
		config.AuthInfos[name] = &api.AuthInfo{Token: secret}
		config.Contexts[name] = &api.Context{Cluster: "test", AuthInfo: name}
	}
	for _, namespace := range []string{"observability", "monitoring"} {
		config.Contexts[namespace] = &api.Context{Cluster: "test", AuthInfo: "admin", Namespace: namespace}
	}
	return config
}
