# shellcheck shell=sh
# The variants that are tested: variant_make NAME gives the arguments of make.
variant_make() {
	case $1 in
	release) echo ;;
	clang) echo CC=clang ;;
	asan) echo SAN=address,undefined ;;
	tsan) echo SAN=thread ;;
	esac
}
# One build at a time, for suites that run side by side and share directories.
variant_build() { # NAME ARGUMENT...
	name=$1
	shift
	mkdir -p build
	# shellcheck disable=SC2046 # no argument or one
	flock build/.making make -s -j2 WERROR=1 $(variant_make "$name") "$@" 1>&2
}
variant_dir() {
	case $1 in
	release) echo build/release ;;
	clang) echo build/clang-release ;;
	asan) echo build/san-address+undefined ;;
	tsan) echo build/san-thread ;;
	esac
}
