// Package explore explores.
package explore
