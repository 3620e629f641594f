"""A job as GitHub describes it: once in the claims of its ID token, once in the runner's variables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a workflow run is, with a plain push to main as the default.

    The claims are those of GitHub's page "OpenID Connect reference"; the variables those of its page
    "Variables reference". Both come from these fields, so that they cannot contradict each other.
    """

    owner: str = "octo-org"
    owner_id: str = "65"
    name: str = "octo-repo"
    repository_id: str = "74"
    ref: str = "refs/heads/main"
    base_ref: str = ""
    head_ref: str = ""
    event_name: str = "push"
    environment: str | None = None
    actor: str = "octocat"
    actor_id: str = "12"
    sha: str = "0123456789abcdef0123456789abcdef01234567"
    workflow: str = "deploy"
    workflow_file: str = ".github/workflows/deploy.yml"
    job_workflow_ref: str | None = None  # another repository's file when the job is a reusable workflow
    job: str = "deploy"
    run_id: str = "4242"
    run_number: str = "7"
    run_attempt: str = "1"
    runner_environment: str = "github-hosted"
    server_url: str = "https://github.com"
    immutable_sub: bool = False  # repositories created, renamed or transferred after 2026-07-15

    @property
    def repository(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def workflow_ref(self) -> str:
        """The workflow's file at its ref."""
        return f"{self.repository}/{self.workflow_file}@{self.ref}"

    @property
    def ref_type(self) -> str:
        """`tag` or `branch`."""
        return "tag" if self.ref.startswith("refs/tags/") else "branch"

    @property
    def sub(self) -> str:
        """The subject: an environment goes before a pull request, which goes before the ref.

        A colon inside a value is written as `%3A` (GitHub's OpenID Connect reference).
        """
        repository = (
            f"{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}"
            if self.immutable_sub
            else self.repository
        )
        if self.environment is not None:
            context = f"environment:{self.environment.replace(':', '%3A')}"
        elif self.event_name == "pull_request":
            context = "pull_request"
        else:
            context = f"ref:{self.ref.replace(':', '%3A')}"
        return f"repo:{repository}:{context}"

    def claims(self) -> dict[str, str]:
        """What the job's ID token says, without issuer, audience, times and token id."""
        claims = {
            "sub": self.sub,
            "actor": self.actor,
            "actor_id": self.actor_id,
            "base_ref": self.base_ref,
            "event_name": self.event_name,
            "head_ref": self.head_ref,
            "job_workflow_ref": self.job_workflow_ref or self.workflow_ref,
            "job_workflow_sha": self.sha,
            "ref": self.ref,
            "ref_type": self.ref_type,
            "repository": self.repository,
            "repository_id": self.repository_id,
            "repository_owner": self.owner,
            "repository_owner_id": self.owner_id,
            "repository_visibility": "private",
            "run_attempt": self.run_attempt,
            "run_id": self.run_id,
            "run_number": self.run_number,
            "runner_environment": self.runner_environment,
            "sha": self.sha,
            "workflow": self.workflow,
            "workflow_ref": self.workflow_ref,
            "workflow_sha": self.sha,
        }
        return claims if self.environment is None else claims | {"environment": self.environment}

    def variables(self) -> dict[str, str]:
        """The GITHUB_* variables that describe the run, without those that name files and folders."""
        return {
            "GITHUB_ACTOR": self.actor,
            "GITHUB_ACTOR_ID": self.actor_id,
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_BASE_REF": self.base_ref,
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql",
            "GITHUB_HEAD_REF": self.head_ref,
            "GITHUB_JOB": self.job,
            "GITHUB_REF": self.ref,
            "GITHUB_REF_NAME": self.ref.split("/", 2)[-1],
            "GITHUB_REF_PROTECTED": "false",
            "GITHUB_REF_TYPE": self.ref_type,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_REPOSITORY_ID": self.repository_id,
            "GITHUB_REPOSITORY_OWNER": self.owner,
            "GITHUB_REPOSITORY_OWNER_ID": self.owner_id,
            "GITHUB_RETENTION_DAYS": "90",
            "GITHUB_RUN_ATTEMPT": self.run_attempt,
            "GITHUB_RUN_ID": self.run_id,
            "GITHUB_RUN_NUMBER": self.run_number,
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_SHA": self.sha,
            "GITHUB_TRIGGERING_ACTOR": self.actor,
            "GITHUB_WORKFLOW": self.workflow,
            "GITHUB_WORKFLOW_REF": self.workflow_ref,
            "GITHUB_WORKFLOW_SHA": self.sha,
        }
