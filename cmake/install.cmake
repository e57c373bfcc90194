# Installation comes with the package test.
