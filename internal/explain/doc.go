// Package explain turns evidence into findings. It is the only package that reads other servers' texts.
package explain
