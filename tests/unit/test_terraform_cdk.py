"""The modules for Terraform and CDK name parameters that there are, and make stacks of ours."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from steadyspot.deploy.stacks.marks import Mark, marked
from tests.unit.templates import PATHS, TEMPLATES

PAGE = (Path(__file__).parents[2] / "docs/how-to/terraform_cdk.md").read_text("utf-8")
MODULE, USE = re.findall(r"```hcl\n(.*?)```", PAGE, re.DOTALL)
(CDK,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TERRAFORM = shutil.which("terraform")


def without_default(template: str) -> set[str]:
    parameters = TEMPLATES[template]["Parameters"]
    return {name for name, rule in parameters.items() if "Default" not in rule}


@pytest.mark.skipif(TERRAFORM is None, reason="terraform is not here")
@pytest.mark.parametrize("text", [MODULE, USE], ids=["module", "use"])
def test_terraform_reads_what_the_page_shows_and_would_write_it_so(text: str) -> None:
    done = subprocess.run(
        [str(TERRAFORM), "fmt", "-check", "-diff", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_use_of_the_terraform_module_names_parameters_that_there_are() -> None:
    own = set(re.findall(r"\{ Platform = var\.platform, (\w+) = each\.key \}", MODULE))
    given = set(re.findall(r"^ {6}(\w+) +=", USE, re.MULTILINE)) | {"Platform"} | own
    assert without_default("job") <= given <= set(TEMPLATES["job"]["Parameters"])
    settings = set(re.findall(r"settings = \{ (\w+) =", USE))
    assert without_default("platform") <= settings <= set(TEMPLATES["platform"]["Parameters"])


def test_the_cdk_app_names_parameters_that_there_are() -> None:
    given = {
        template.args[2].value: {keyword.arg for keyword in template.keywords}  # type: ignore[attr-defined]
        for template in ast.walk(ast.parse(CDK))
        if isinstance(template, ast.Call)
        and isinstance(template.func, ast.Name)
        and template.func.id == "steadyspot"
    }
    assert set(given) == {"platform.yaml", "job.yaml"}
    for file, names in given.items():
        template = file.removesuffix(".yaml")
        assert without_default(template) <= names <= set(TEMPLATES[template]["Parameters"])


@pytest.mark.parametrize(("template", "job"), [("platform", ""), ("job", "report")])
def test_what_terraform_puts_into_a_template_is_the_mark_of_its_stack(
    template: str, job: str
) -> None:
    form = rf'replace\(file\("\$\{{path\.module\}}/{template}\.yaml"\), "(.*?)", "(.*)"\)'
    (place, put) = next(iter(re.findall(form, MODULE)))
    for name, value in (("${var.platform}", "shop"), ("${each.key}", job)):
        put = put.replace(name, value)
    place, put = (text.replace("\\n", "\n").replace('\\"', '"') for text in (place, put))
    text = PATHS[template].read_text("utf-8")
    assert text.count(place) == 1
    found = marked(text.replace(place, put))
    assert found is not None
    assert found.mark == Mark("shop", job)
