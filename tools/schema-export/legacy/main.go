// Command legacy exports the types that the current API modules no longer have:
// policy/v1beta1 PodSecurityPolicy, last published in v0.24.
package main

import (
	"log"
	"os"
	"reflect"

	policy "k8s.io/api/policy/v1beta1"

	"schema-export/export"
)

func main() {
	e := export.New()
	for kind, t := range map[string]reflect.Type{
		"PodSecurityPolicy":     reflect.TypeOf(policy.PodSecurityPolicy{}),
		"PodSecurityPolicyList": reflect.TypeOf(policy.PodSecurityPolicyList{}),
	} {
		if err := e.Add(t, export.Kind{Group: "policy", Version: "v1beta1", Kind: kind}); err != nil {
			log.Fatal(err)
		}
	}
	if err := e.Save(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
