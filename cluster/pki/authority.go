package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	// NodeLife is how long a node's certificate is good for; the node renews it
	// when a third of that is left.
	NodeLife = 90 * 24 * time.Hour
	// authorityLife is long: replacing an authority is an operator's work.
	authorityLife = 20 * 365 * 24 * time.Hour
	// backdate lets machines whose clocks are apart by up to a day and more accept a
	// fresh certificate.
	backdate = 48 * time.Hour
	// setBack is how far a node's clock may be behind what it was when its certificate was
	// made, before it wants another: those whose clocks were right all the time may not
	// accept it for as long as the clock was ahead.
	setBack = time.Hour

	// MaxName bounds the name of a cluster and of a node.
	MaxName = 63
)

// ErrCertificate is a certificate that does not prove what it should.
var ErrCertificate = errors.New("certificate refused")

var name = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// CheckName reports why text cannot name a cluster or a node.
func CheckName(what, text string) error {
	if len(text) > MaxName || !name.MatchString(text) {
		return fmt.Errorf("%s %q is not 1 to %d letters, digits, dots, dashes and underscores, beginning and ending with a letter or digit", what, text, MaxName)
	}
	return nil
}

// Root is what a node believes: the certificate of its cluster's authority.
type Root struct {
	cluster string
	cert    *x509.Certificate
	pool    *x509.CertPool
}

// Until is when the root's certificate ends.
func (r *Root) Until() time.Time { return r.cert.NotAfter }

// Authority is a root with its key: it makes certificates.
type Authority struct {
	Root
	key *ecdsa.PrivateKey
}

// Identity is a node's certificate and key.
type Identity struct {
	Node        string
	Certificate tls.Certificate // with the authority's certificate behind it
	From, Until time.Time
}

// NewAuthority makes the authority of a new cluster.
func NewAuthority(cluster string, now time.Time) (*Authority, error) {
	if err := CheckName("cluster name", cluster); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "Purser cluster " + cluster},
		URIs:         []*url.URL{clusterURI(cluster)},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the authority's certificate: %w", err)
	}
	root, err := newRoot(der)
	if err != nil {
		return nil, err
	}
	return &Authority{Root: *root, key: key}, nil
}

// Issue makes a key and a certificate for a node.
func (a *Authority) Issue(node string, now time.Time) (*Identity, error) {
	if err := CheckName("node id", node); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of node %s: %w", node, err)
	}
	der, err := a.sign(node, nodeURI(a.cluster, node), &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of node %s: %w", node, err)
	}
	return a.own(node, key, leaf), nil
}

// sign makes a node's certificate.
func (a *Authority) sign(node string, name *url.URL, key *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: node},
		URIs:         []*url.URL{name},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(NodeLife),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of node %s: %w", node, err)
	}
	return der, nil
}

// Due says whether the identity should be renewed: when a third of its life is left, or
// the clock it was made by has turned out to be ahead.
func (i *Identity) Due(now time.Time) bool {
	late := i.Until.Add(-i.Until.Sub(i.From) / 3)
	made := i.From.Add(backdate)
	return !now.Before(late) || now.Before(made.Add(-setBack))
}

// Cluster is the name of the authority's cluster.
func (r *Root) Cluster() string { return r.cluster }

// Fingerprint is the SHA-256 of the authority's certificate, in hexadecimal.
func (r *Root) Fingerprint() string {
	sum := sha256.Sum256(r.cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Verify returns the node that a chain of certificates, as it came from a peer,
// proves to be at the other end (K1). Errors wrap [ErrCertificate].
func (r *Root) Verify(chain []*x509.Certificate, now time.Time) (node string, err error) {
	if len(chain) == 0 {
		return "", fmt.Errorf("%w: the peer has none", ErrCertificate)
	}
	leaf := chain[0]
	_, err = leaf.Verify(x509.VerifyOptions{Roots: r.pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrCertificate, leaf.Subject.CommonName, explain(err, leaf, now))
	}
	if len(leaf.URIs) != 1 {
		return "", fmt.Errorf("%w: it has %d URIs instead of a node's", ErrCertificate, len(leaf.URIs))
	}
	cluster, node, _, ok := parseNodeURI(leaf.URIs[0])
	if !ok || cluster != r.cluster {
		return "", fmt.Errorf("%w: %s is no node of cluster %s", ErrCertificate, leaf.URIs[0], r.cluster)
	}
	return node, nil
}

// VerifyPinned checks the chain of a member that a joining node knows by the
// authority's fingerprint alone, and returns the authority's root.
func VerifyPinned(chain []*x509.Certificate, fingerprint string, now time.Time) (*Root, error) {
	for _, c := range chain[min(1, len(chain)):] {
		root, err := newRoot(c.Raw)
		if err != nil || root.Fingerprint() != fingerprint {
			continue
		}
		if _, err = root.Verify(chain, now); err == nil && IsGateway(chain[0]) {
			err = fmt.Errorf("%w: a gateway answers, and a new node's secret is for members alone", ErrCertificate)
		}
		return root, err
	}
	return nil, fmt.Errorf("%w: the server is not of the cluster that made the token", ErrCertificate)
}

// explain says what an operator can do about the commonest cause.
func explain(err error, leaf *x509.Certificate, now time.Time) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("good from %s to %s, and it is %s here: set the clock right, or start that node again so that it renews its certificate: %w",
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), err)
	}
	return err
}

func newRoot(der []byte) (*Root, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if !cert.IsCA || len(cert.URIs) != 1 || cert.URIs[0].Scheme != scheme || cert.URIs[0].Path != "" || CheckName("cluster name", cert.URIs[0].Host) != nil {
		return nil, fmt.Errorf("%w: %s is no cluster's authority", ErrCertificate, cert.Subject.CommonName)
	}
	r := &Root{cluster: cert.URIs[0].Host, cert: cert, pool: x509.NewCertPool()}
	r.pool.AddCert(cert)
	return r, nil
}

// PEM returns the authority's certificate and key, for a member's disk.
func (a *Authority) PEM() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the authority's key: %w", err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: a.cert.Raw})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: key})...), nil
}

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// ParseAuthority reads what [Authority.PEM] wrote.
func ParseAuthority(b []byte) (*Authority, error) {
	first, rest := pem.Decode(b)
	if first == nil || first.Type != pemCertificate {
		return nil, errors.New("the authority's file does not begin with a certificate")
	}
	root, err := newRoot(first.Bytes)
	if err != nil {
		return nil, err
	}
	second, _ := pem.Decode(rest)
	if second == nil || second.Type != pemKey {
		return nil, errors.New("the authority's file has no key behind its certificate")
	}
	key, err := x509.ParsePKCS8PrivateKey(second.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the authority's key: %w", err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(root.cert.PublicKey) {
		return nil, errors.New("the authority's key is not that of its certificate")
	}
	return &Authority{Root: *root, key: private}, nil
}

const scheme = "purser"

func clusterURI(cluster string) *url.URL { return &url.URL{Scheme: scheme, Host: cluster} }

// The paths of a member's and of a gateway's name.
const (
	memberPath  = "/node/"
	gatewayPath = "/gateway/"
)

func nodeURI(cluster, node string) *url.URL {
	return &url.URL{Scheme: scheme, Host: cluster, Path: memberPath + node}
}

func gatewayURI(cluster, node string) *url.URL {
	return &url.URL{Scheme: scheme, Host: cluster, Path: gatewayPath + node}
}

// parseNodeURI returns whose name it is; role is one of the paths.
func parseNodeURI(u *url.URL) (cluster, node, role string, ok bool) {
	for _, role := range []string{memberPath, gatewayPath} {
		if node, ok := strings.CutPrefix(u.Path, role); ok {
			return u.Host, node, role, u.Scheme == scheme && CheckName("node id", node) == nil
		}
	}
	return "", "", "", false
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	b[0] &= 0x7f        // a serial number is positive
	return new(big.Int).SetBytes(b)
}
