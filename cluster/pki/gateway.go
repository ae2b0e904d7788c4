package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Request is a key that a node made for itself, and the question for a certificate
// that proves it has it.
type Request struct {
	DER []byte // PKCS #10
	key *ecdsa.PrivateKey
}

// NewRequest makes a key for a node and asks for its certificate.
func NewRequest(node string) (*Request, error) {
	if err := CheckName("node id", node); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of node %s: %w", node, err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: node}}, key)
	if err != nil {
		return nil, fmt.Errorf("asking for the certificate of node %s: %w", node, err)
	}
	return &Request{DER: der, key: key}, nil
}

// Certify answers a gateway's request with a certificate, DER. The key stays the
// gateway's. Errors wrap [ErrCertificate].
func (a *Authority) Certify(request []byte, node string, now time.Time) ([]byte, error) {
	asked, err := x509.ParseCertificateRequest(request)
	if err == nil {
		err = asked.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the request of node %s: %w", ErrCertificate, node, err)
	}
	key, ok := asked.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || asked.Subject.CommonName != node {
		return nil, fmt.Errorf("%w: the request is not of node %s with a P-256 key", ErrCertificate, node)
	}
	if err := CheckName("node id", node); err != nil {
		return nil, err
	}
	return a.sign(node, gatewayURI(a.cluster, node), key, now)
}

// Accept makes the identity of a request and the certificate that answers it. It
// believes the certificate only if the root does, and it is for this key and node.
func (r *Root) Accept(request *Request, certificate []byte, node string, now time.Time) (*Identity, error) {
	return r.identity(request.key, certificate, node, now)
}

func (r *Root) identity(key *ecdsa.PrivateKey, certificate []byte, node string, now time.Time) (*Identity, error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	// One that has ended is still this node's: who looks at it says what to do.
	at := now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	named, err := r.Verify([]*x509.Certificate{leaf}, at)
	switch {
	case err != nil:
		return nil, err
	case named != node || !key.PublicKey.Equal(leaf.PublicKey):
		return nil, fmt.Errorf("%w: it is not of node %s and its key", ErrCertificate, node)
	}
	return r.own(node, key, leaf), nil
}

// own is the identity of a key and its certificate.
func (r *Root) own(node string, key *ecdsa.PrivateKey, leaf *x509.Certificate) *Identity {
	return &Identity{
		Node: node, From: leaf.NotBefore, Until: leaf.NotAfter,
		Certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw, r.cert.Raw}, PrivateKey: key},
	}
}

// IsGateway reports whether a certificate, which the root believes, is a gateway's:
// it serves calls, and not Raft.
func IsGateway(c *x509.Certificate) bool {
	if len(c.URIs) != 1 {
		return false
	}
	_, _, role, ok := parseNodeURI(c.URIs[0])
	return ok && role == gatewayPath
}

// PEM returns the certificate of the authority, without its key.
func (r *Root) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: r.cert.Raw})
}

// ParseRoot reads what [Root.PEM] wrote. A key behind it is not looked at.
func ParseRoot(b []byte) (*Root, error) {
	first, _ := pem.Decode(b)
	if first == nil || first.Type != pemCertificate {
		return nil, errors.New("the authority's file does not begin with a certificate")
	}
	return newRoot(first.Bytes)
}

// PEM returns the node's certificate and key, for its disk.
func (i *Identity) PEM() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(i.Certificate.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of node %s: %w", i.Node, err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: i.Certificate.Certificate[0]})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: key})...), nil
}

// ParseIdentity reads what [Identity.PEM] wrote, of a node of the root's cluster.
func (r *Root) ParseIdentity(b []byte, node string, now time.Time) (*Identity, error) {
	first, rest := pem.Decode(b)
	if first == nil || first.Type != pemCertificate {
		return nil, errors.New("the node's file does not begin with a certificate")
	}
	second, _ := pem.Decode(rest)
	if second == nil || second.Type != pemKey {
		return nil, errors.New("the node's file has no key behind its certificate")
	}
	key, err := x509.ParsePKCS8PrivateKey(second.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the node's key: %w", err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the node's key is not ECDSA")
	}
	return r.identity(private, first.Bytes, node, now)
}
