# What the trials share: a folder of their own, a line for each thing that was found true, and signed callbacks. To be sourced; the
# caller defines `troubles`, which shows what helps to understand a failure, and `clean`, which removes what it made.

readonly not_tried=77 project=11111111-2222-4333-8444-555555555555
work=$(mktemp -d)
export work project

end() {
  set +e
  clean >/dev/null 2>&1
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

ok() { printf 'ok      %s\n' "$*"; }
failed() {
  printf 'FAILED  %s\n' "$*"
  troubles 2>&1 | cut -c 1-300 | sed 's/^/  | /'
  exit 1
}

# Runs a command until it succeeds, for at most so many seconds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# Sets `compose` to the command of Docker's compose, and installs one where that can be done and none is there.
find_compose() {
  compose=(docker compose)
  docker compose version >/dev/null 2>&1 && return
  if ! command -v docker-compose >/dev/null && ((EUID == 0)) && command -v apt-get >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends docker-compose; } >/dev/null 2>&1 || true
  fi
  command -v docker-compose >/dev/null || { echo "there is no docker compose here, and it cannot be installed" && exit "$not_tried"; }
  compose=(docker-compose)
}

# Builds the service's image. Where it has been built before, that takes no time.
build_image() {
  docker build --tag sinch-callbacks . >"$work/build" 2>&1 || { tail -n 40 "$work/build" && failed "the image does not build"; }
}

# Where an image can neither be found nor pulled, makes one from a Dockerfile on standard input, for which a further command may put
# files into $work/image.
stand_in() {
  local image=$1 what=$2 folder="$work/image"
  shift 2
  docker image inspect "$image" >/dev/null 2>&1 && return
  timeout 60 docker pull --quiet "$image" >/dev/null 2>&1 && return
  mkdir -p "$folder"
  cat >"$folder/Dockerfile"
  if (($#)) && ! (cd "$folder" && "$@") >"$work/build" 2>&1; then tail -n 5 "$work/build" && failed "$image is not here, and has no stand-in"; fi
  docker build --tag "$image" "$folder" >"$work/build" 2>&1 || { tail -n 20 "$work/build" && failed "$image is not here, and has no stand-in"; }
  ok "$image cannot be pulled; $what takes its place"
}

# Writes deploy/ into the trial's folder, with an .env for a service whose orders are never fetched.
write_deployment() {
  mkdir "$work/deploy"
  cp -r deploy/. "$work/deploy/"
  secret=$(openssl rand -hex 24) token=$(openssl rand -hex 24)
  export secret
  sed -e "s/^COMPOSE_PROJECT_NAME=.*/COMPOSE_PROJECT_NAME=$1/" -e "s/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD=$(openssl rand -hex 24)/" \
    -e "s/^\(SINCH_CALLBACKS_PROJECTS__0__ID\)=.*/\1=$project/" -e "s/^\(SINCH_CALLBACKS_PROJECTS__0__SECRETS\)=.*/\1=$secret/" \
    -e "s/^SINCH_CALLBACKS_PROJECTS__0__KEY_ID=.*/SINCH_CALLBACKS_PROJECTS__0__API=off/" -e '/KEY_SECRET/d' \
    -e "s/^\(SINCH_CALLBACKS_OPERATORS__TOKEN\)=.*/\1=$token/" deploy/example.env >"$work/deploy/.env"
}

# Sends the callback of order N, signed, with further arguments for curl, and prints how it is answered.
send() {
  local n=$1 file="$work/body-$1"
  shift
  printf '{"eventId":"event-%s","timestamp":"2026-02-03T04:05:06.789","projectId":"%s","resourceId":"order-%s",%s}' "$n" "$project" "$n" \
    '"resourceType":"NUMBER_ORDER","eventType":"NUMBER_ORDER_PROCESSING","status":"IN_REVIEW"' >"$file"
  curl --silent --noproxy '*' --max-time 40 --output /dev/null --write-out '%{http_code}\n' --header 'Content-Type: application/json' \
    --header "X-Sinch-Signature: $(openssl dgst -sha1 -hmac "$secret" -r "$file" | cut -d ' ' -f 1)" \
    --data-binary "@$file" "$@" || true
  rm -f "$file"
}
export -f send

# Sends callbacks 1 to $1 in the background, so many at once, and notes each answer in $work/answers; `load` is its process.
start_load() {
  export sent_to=$3
  seq "$1" | xargs -P "$2" -I N bash -c 'send N $sent_to' >"$work/answers" &
  load=$!
}
answered() { (($(wc -l <"$work/answers") >= $1)); }
until_answered() { until answered "$1" || ! kill -0 "$load" 2>/dev/null; do sleep 0.1; done; }

# Ends the load; every callback must have been answered 200.
all_answered() {
  wait "$load"
  local answers
  answers=$(sort "$work/answers" | uniq -c | tr -s ' ' | paste -sd ';')
  [[ $answers == " $1 200" ]] || failed "$2: callbacks were answered:$answers"
  ok "$2: $1 of $1 callbacks were answered 200"
}
