package double

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors have the codes and the messages of Qdrant.

func noCollection(name string) error {
	return status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
}

func collectionExists(name string) error {
	return status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", name)
}

func wrongDimension(want, got int) error {
	return status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", want, got)
}

// strict is a refusal of strict mode.
func strict(what, help string) error {
	return status.Errorf(codes.InvalidArgument, "Bad request: %s. Help: %s", what, help)
}

func badInput(what string) error {
	return status.Error(codes.InvalidArgument, "Wrong input: "+what)
}

func badUUID(s string) error {
	return status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %s", s)
}

// beyond is for what Qdrant has and this double has not.
func beyond(what string) error {
	return status.Error(codes.Unimplemented, "the double has no "+what)
}
